"""Records -> leaderboard, pictures, one HTML page, one CSV file. Reads folders only: no torch, no hydra."""
