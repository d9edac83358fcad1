"""Records -> leaderboard, pictures, one HTML page, tables. Reads folders only: no torch, no hydra."""
