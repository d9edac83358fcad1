"""Networks as files that other runtimes read: what such a file must say, how it is made, checked and run."""
