from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.serving.versions.version_policy import VersionPolicy, next_step, wanted_versions

versions = st.sets(st.integers(0, 30), max_size=8)


@st.composite
def policies(draw):
    policy = VersionPolicy()
    kind = draw(st.sampled_from(["none", "latest", "all", "specific"]))
    if kind == "latest":
        policy.latest.SetInParent()
        policy.latest.num_versions = draw(st.integers(0, 10))
    elif kind == "all":
        policy.all.SetInParent()
    elif kind == "specific":
        policy.specific.versions.extend(draw(st.lists(st.integers(0, 30), max_size=6)))
        policy.specific.SetInParent()
    return policy


@given(policies(), versions)
def test_what_a_policy_wants(policy, found):
    wanted = wanted_versions(policy, found)
    assert wanted <= found
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        assert wanted == found
    elif choice == "specific":
        assert wanted == {version for version in policy.specific.versions if version in found}
    else:
        assert len(wanted) == min(len(found), max(1, policy.latest.num_versions))
        assert all(left < kept for left in found - wanted for kept in wanted)


@given(policies(), versions)
def test_the_order_in_which_versions_are_found_does_not_matter(policy, found):
    assert wanted_versions(policy, sorted(found)) == wanted_versions(
        policy, sorted(found, reverse=True)
    )


@given(wanted=versions, available=versions, broken=versions)
def test_steps_lead_to_what_is_wanted_and_never_to_nothing(wanted, available, broken):
    available, loadable = set(available), wanted - available
    most = len(available) + len(loadable)
    for _ in range(most):
        step = next_step(wanted, available, loadable)
        if step is None:
            break
        if step.load:
            assert step.version == max(loadable)
            loadable = loadable - {step.version}
            if step.version not in broken:
                available.add(step.version)
        else:
            assert step.version not in wanted
            available.remove(step.version)
            assert available or not wanted
    assert next_step(wanted, available, loadable) is None
    assert not loadable
    serving = wanted & available
    if serving or not wanted:
        assert available == serving
    else:
        # Nothing that is wanted loads: one of the others stays.
        assert len(available) <= 1


@given(versions, versions)
def test_a_new_version_is_loaded_before_the_last_old_one_leaves(old, new):
    wanted, available = new - old, set(old)
    if not wanted or not available:
        return
    newest = max(available)
    loadable = set(wanted)
    while (step := next_step(wanted, available, loadable)) is not None:
        if step.load:
            loadable.discard(step.version)
            available.add(step.version)
        else:
            available.discard(step.version)
            if step.version == newest:
                assert available & wanted
