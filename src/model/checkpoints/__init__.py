"""Where weights come from and how they enter a network: hub folders, release files, names, random ones."""
