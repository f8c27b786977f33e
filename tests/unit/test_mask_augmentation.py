import numpy as np

from clearscene.masking.augmentation import LOOKS, LookCount, adaptive_mean, isolated, turned, turned_back


def one_hot(class_map, n=4):
    """Logarithms of probabilities that are all but 1 for one class."""
    return np.where(np.arange(n)[:, None, None] == class_map, 0, -20).astype(np.float32)


def test_every_look_is_undone():
    image = np.arange(2 * 5 * 5, dtype=np.float32).reshape(2, 5, 5)
    seen = [turned(image, look) for look in LOOKS]
    assert all(np.array_equal(turned_back(s, look), image) for s, look in zip(seen, LOOKS, strict=True))
    assert len({s.tobytes() for s in seen}) == 8


def test_columns_are_flipped_before_the_turn():
    image = np.array([[[1, 2], [3, 4]]], np.float32)
    assert turned(image, (1, True)).tolist() == [[[1, 3], [2, 4]]]


def test_isolated_pixels_by_hand():
    class_map = np.zeros((6, 7), int)
    class_map[2, 3] = 1  # alone
    class_map[4, 1], class_map[5, 2] = 2, 2  # touch by a corner
    class_map[0, 6] = 3  # alone in the corner of the tile
    assert isolated(class_map) == 2


def test_outside_of_the_tile_counts_as_clear():
    class_map = np.ones((3, 3), int)
    class_map[0, 0] = 0
    assert isolated(class_map) == 0
    assert isolated(1 - class_map + 1) == 1  # a class 2 corner among 1


def ragged(n_alone, size=64):
    class_map = np.zeros((size, size), int)
    for place in range(n_alone):
        class_map[1 + 3 * (place // 20), 1 + 3 * (place % 20)] = 1
    return class_map


def test_a_tile_is_looked_at_again_only_above_ten_in_512_squared():
    limit = 10 / 512**2 * 512 * 512
    for n_alone, looks in ((int(limit), 1), (int(limit) + 1, 4)):
        count = LookCount()
        image = ragged(n_alone, 512)[None, None].astype(np.float32)
        adaptive_mean(lambda tile: one_hot(tile[0, 0], 2), image, depth=3, count=count)
        assert count.looks == looks
        assert (count.tiles, count.again) == (1, int(looks > 1))


def test_looking_stops_when_nothing_is_isolated():
    first = np.where(np.arange(4)[:, None, None] == ragged(9), 0.6, 0.4 / 3)
    second = np.stack([np.full((64, 64), 0.94)] + [np.full((64, 64), 0.02)] * 3)
    answers = iter(np.log([first, second]))
    count = LookCount()
    found = adaptive_mean(lambda _: next(answers), np.zeros((1, 1, 64, 64), np.float32), depth=7, count=count)
    assert (count.looks, count.isolated_before, count.isolated_after) == (2, 9, 0)
    np.testing.assert_allclose(np.exp(found[0, 1, 1]), (0.4 / 3 + 0.94) / 2, atol=1e-6)


def test_depth_zero_counts_nothing_as_isolated():
    count = LookCount()
    adaptive_mean(lambda _: one_hot(ragged(50)), np.zeros((1, 1, 64, 64), np.float32), depth=0, count=count)
    assert (count.looks, count.again) == (1, 0)
