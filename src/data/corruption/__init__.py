"""Corruptions of images: the 18 of RoboDepth (Kong et al. 2023).

Most of them come from ImageNet-C (Hendrycks & Dietterich 2019).

Every function takes an image as (h, w, 3) float64 in 0 .. 1, a severity from 1 to 5 and a random generator, and returns
such an image; what lies outside 0 .. 1 is clipped afterwards. The constants are those of RoboDepth. Known deviations:
images keep their size (RoboDepth resizes to 640 x 192 first, and its constants in pixels are for that size); random
numbers come from numpy's generator, seeded by the sample, so that no noise equals theirs pixel by pixel; what differs
further is said where it does.
"""
