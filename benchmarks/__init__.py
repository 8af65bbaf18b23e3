"""What this project costs, measured. Each module is a program; its figures are in RESULTS.md."""
