"""How much a run spends: the number of replicates of a first look."""

__all__ = ["MASTER_SEED", "PRESETS"]

PRESETS = {"quick": 32, "full": 256}
MASTER_SEED = 20231218
