"""optax's suites for contributed optimizers and for sharding, as installed, on SOAP alone."""

import importlib.util
from pathlib import Path

import pytest

from optzoo.soap import soap

_path = Path(__file__).parent / "optax_conformance.py"
_spec = importlib.util.spec_from_file_location("optax_conformance", _path)
optax_conformance = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(optax_conformance)

CONTRIBUTED = optax_conformance.load_contributed_suite(
    {"soap": soap}, [{"opt_name": "soap", "opt_kwargs": {"learning_rate": 1e-2}}]
)
SHARDING = optax_conformance.load_sharding_suite({"soap": soap(1.0)})
# The rest of that module tests micro-batching.
SOAP_IN_SHARDING = [name for name in SHARDING.names() if "soap" in name]


def test_the_whole_suites_are_there():
    kinds = [name.rstrip("0123456789") for name in CONTRIBUTED.names()]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "test_gradient_accumulation": 2,
        "test_optimizers": 4,
        "test_optimizers_accept_extra_args": 2,
        "test_optimizers_accept_learning_rate_schedule_if_type_annotated_as_such": 1,
        "test_optimizers_can_be_wrapped_in_inject_hyperparams": 1,
        "test_preserve_dtype": 2,
        "test_state_shape_dtype_shard_stability": 4,
    }
    assert len(SOAP_IN_SHARDING) == 3


@pytest.mark.parametrize("name", CONTRIBUTED.names())
def test_contributed_suite(name):
    CONTRIBUTED.run(name)


@pytest.mark.parametrize("name", SOAP_IN_SHARDING)
def test_sharding_suite(name):
    SHARDING.run(name)
