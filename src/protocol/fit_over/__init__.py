"""What one fit holds for, where that is not all valid pixels of one image: several images, or a few known points."""
