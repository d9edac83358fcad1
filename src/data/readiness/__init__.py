"""Is a data set here, and is it what its authors published? Sources, download and verification."""
