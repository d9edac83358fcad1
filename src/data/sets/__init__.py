"""Published evaluation sets, read as downloaded: one file per set, and what only these readers share."""
