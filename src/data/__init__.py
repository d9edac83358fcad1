"""Data sets: files in, `Sample` out. `sets` holds one file per published set, `own` reads yours, `built_in` no file."""
