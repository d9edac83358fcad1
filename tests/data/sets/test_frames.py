import collections

from src.data.sets import frames


def test_nyu_has_the_654_test_images_of_1449():
    numbers = frames.nyu_test()
    assert len(set(numbers)) == 654
    assert numbers == tuple(sorted(numbers))
    assert (numbers[0], numbers[-1]) == (1, 1449)


def test_kitti_has_697_frames_of_which_652_are_annotated():
    every, annotated = frames.kitti_eigen(annotated=False), frames.kitti_eigen(annotated=True)
    assert len(set(every)) == 697
    assert len(set(annotated)) == 652
    assert set(annotated) < set(every)
    assert len({drive for drive, _ in every}) == 28
    missing = collections.Counter(drive for drive, _ in set(every) - set(annotated))
    assert missing["2011_09_26_drive_0048_sync"] == 10
    assert len(missing) == 22


def test_scannet_has_800_frames_of_271_scans_in_129_rooms():
    listed = frames.scannet_800()
    assert len(set(listed)) == 800
    assert len({scan for scan, _ in listed}) == 271
    assert len({scan.split("_")[0] for scan, _ in listed}) == 129
    assert all(frame % 100 == 0 for _, frame in listed)
