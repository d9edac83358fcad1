"""Your own files: pictures with ground truth to score, and pictures alone to predict."""
