"""Blocks that are not run as they stand, each with the reason, or with the test that runs it.

Every other block of `sh`, `python` and `sql` is run by test_blocks.py: a new one runs, or fails, or
is put down here.
"""

NOT_RUN = {
    "README.md#ufd-ray/2": "the demo and the tests themselves; their targets are looked up",
    "cluster/README.md#on-kubernetes": "needs a Kubernetes cluster; what is applied is checked",
    "cluster/README.md#on-kubernetes/2": "needs a Kubernetes cluster; what is applied is checked",
    "cluster/README.md#on-kubernetes/3": "needs a Kubernetes cluster; what is applied is checked",
    "cluster/README.md#on-kubernetes/4": "needs a Kubernetes cluster with GPUs",
    "docs/baselines.md#evaluating-them-beside-ours": "as published; tests/ray has a small one",
    "docs/baselines.md#training-one": "published weights of no hub; small ones train in tests/ray",
    "docs/baselines.md#the-sink-class": "as published, on the paper's training sets",
    "docs/baselines.md#the-sink-class/2": "the paper's test sets are not installed",
    "docs/baselines.md#the-sink-class/3": "the paper's test sets are not installed",
    "docs/current.md#the-same-as-a-query/2": "DuckDB would download its extension for S3",
    "docs/evaluation.md#the-papers-tables-2-and-3": "the paper's test sets are not installed",
    "docs/few-shot.md#5-scores/2": "a bound takes more real images than the tests have",
    "docs/first-crawl.md#1-see-it-work": "the demo is two minutes; its target is looked up",
    "docs/scores.md#duckdb/5": "DuckDB would download its extension for S3",
    "docs/scores.md#athena": "needs Athena; its columns are compared with those that are written",
    "docs/scores.md#athena/2": "needs Athena; its columns are compared with those that are written",
    "docs/stored-embeddings.md#scoring-stored-embeddings": "features of one's own; tests have some",
    "docs/storage.md#img2datasets-shards-scored-as-they-lie": "img2dataset reads the web",
    "docs/which-encoder.md#weights-as-a-file": "the file is a gigabyte, and no hub is reachable",
    "docs/submitting.md#submitting-jobs-to-a-cluster": "the address and token of a cluster",
    "docs/submitting.md#what-the-exit-status-becomes/2": "needs the AWS command line",
}

RUN_BY = {
    "docs/evidence.md#auditing-a-bank/3": "tests/ray/test_evidence.py",
    "docs/evaluation.md#sweeps": "tests/ray/test_evaluate_sweeps.py",
    "docs/published-probe.md#three-commands": "tests/docs/test_published_probe.py",
    "docs/published-probe.md#other-labelled-images": "tests/docs/test_published_probe.py",
    "docs/review.md#draw": "tests/docs/test_review.py",
    "docs/review.md#judge": "tests/docs/test_review.py",
    "docs/scheduled-crawls.md#cron-and-a-standing-cluster/2": "tests/docs/test_nightly.py",
    "docs/submitting.md#one-recipe-a-job": "tests/submission/test_submission.py",
    "docs/submitting.md#what-the-exit-status-becomes": "tests/submission/test_submission.py",
    "docs/submitting.md#to-stop-to-resume-to-roll-back": "tests/submission/test_submission.py",
}
