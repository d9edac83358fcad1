"""What happens while the trainer predicts: scoring, rows of the records, pictures and saved maps."""
