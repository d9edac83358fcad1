"""The command line around the cells: arguments, help, sweeps, tables and what is said when something fails."""
