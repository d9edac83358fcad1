"""What the records say: cells, boards, differences, generalisation, robustness, papers; numbers, no drawing."""
