import pytest

from inspector_plugins.unireplknet.tables import BRANCHES, MEMBERS, stage_kernels


def test_branches_fit_into_their_kernel():
    """As the paper demands: (k - 1) * r + 1 is at most the large kernel's size."""
    for size, branches in BRANCHES.items():
        assert len(set(branches)) == len(branches)
        assert all(k % 2 and (k - 1) * r + 1 <= size for k, r in branches)


@pytest.mark.parametrize("member", MEMBERS)
def test_published_kernels(member):
    depths, _ = MEMBERS[member]
    kernels = stage_kernels(list(depths), None)
    assert [len(sizes) for sizes in kernels] == list(depths)
    assert [set(sizes) for sizes in kernels[:2]] == [{3}, {13}] and set(kernels[3]) == {13}
    period = {"t": (13, 3), "s": (13, 3, 3), "b": (13, 3, 3), "l": (13, 3, 3), "xl": (13, 3, 3)}.get(member, (13,))
    assert tuple(kernels[2]) == period * (depths[2] // len(period))


def test_given_kernels_are_kept():
    given = ((3,), (5,), (7, 7), (9,))
    assert stage_kernels((1, 1, 2, 1), given) is given
