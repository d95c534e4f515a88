"""Everything in cluster/ that can be checked without a cluster: python -m tests.cluster.check."""

from __future__ import annotations

import sys

from tests.cluster.containerfile import check_containerfile
from tests.cluster.kubernetes_files import check_kubernetes_files
from tests.cluster.policies import check_policies
from tests.cluster.ray_up import check_ray_up_file

CHECKS = {
    "cluster/kubernetes": check_kubernetes_files,
    "cluster/ray-up-aws.yaml": check_ray_up_file,
    "cluster/Containerfile": check_containerfile,
    "cluster/policies": check_policies,
}


def main() -> int:
    """Print a line for every fault; the exit status is 1 where there is any."""
    faults = [f"{what}: {fault}" for what, check in CHECKS.items() for fault in check()]
    print(*faults, sep="\n", end="\n" if faults else "")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
