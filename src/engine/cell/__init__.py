"""One cell from its configuration to its manifest: plan, lock, resume, run, close."""
