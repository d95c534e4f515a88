"""All input and output: objects, manifests, banks, probes, runs. One credential chain for all."""

from ufd_ray.storage.bank_audit import open_parts, write_audit
from ufd_ray.storage.bank_neighbors import NeighborsFile, read_neighbors, write_neighbors
from ufd_ray.storage.banks import (
    BankInfo,
    read_bank_info,
    read_searchable,
    read_shards,
)
from ufd_ray.storage.baselines import (
    BASELINE,
    BaselineInfo,
    network_file,
    read_baseline_info,
    write_network,
)
from ufd_ray.storage.containers.embedding_reads import (
    ROWS_AT_ONCE,
    cells_as_matrix,
    read_stored,
)
from ufd_ray.storage.copies import local_copy
from ufd_ray.storage.documents import (
    describe_differences,
    find_document,
    outcome_of_earlier,
    read_document,
    write_document,
)
from ufd_ray.storage.fetching.fetch import fetch
from ufd_ray.storage.folders import check_writable, list_folder, tidy_up
from ufd_ray.storage.known import Fetched, FetchLimits, Known
from ufd_ray.storage.leave_one_out import LeaveOneOut
from ufd_ray.storage.listing.allowed import why_refused
from ufd_ray.storage.listing.inputs import Inputs
from ufd_ray.storage.listing.stored_embeddings import StoredEmbeddings, StoredFile
from ufd_ray.storage.manifests.ledger import Ledger
from ufd_ray.storage.manifests.manifest import ManifestInfo, select_images, write_manifest
from ufd_ray.storage.manifests.ranges import (
    ManifestRange,
    embedding_ranges,
    manifest_ranges,
    read_range,
)
from ufd_ray.storage.node_cache import FileOnNode, describe_file, file_on_node, one_at_a_time
from ufd_ray.storage.objects import delete_objects, object_exists, read_object, write_object
from ufd_ray.storage.probes import ProbeFiles, read_probe, write_probe
from ufd_ray.storage.review_files import FilledIn, check_no_sample, read_labels, write_sample
from ufd_ray.storage.runs.contents import printable
from ufd_ray.storage.runs.current import write_current
from ufd_ray.storage.runs.embeddings import (
    ROWS_PER_GROUP,
    KeptEmbeddings,
    embedding_files,
    index_embeddings,
)
from ufd_ray.storage.runs.export import Choice, export_current, export_runs
from ufd_ray.storage.runs.folder import RunFolder, new_run_id, utc_now
from ufd_ray.storage.runs.history import (
    PublishedRun,
    ScoreFiles,
    published_run,
    published_runs,
)
from ufd_ray.storage.runs.lease import Lease
from ufd_ray.storage.runs.marks import marked
from ufd_ray.storage.runs.pruning import prune
from ufd_ray.storage.runs.pruning_plan import PruningPolicy, plan_pruning
from ufd_ray.storage.runs.publication import Parts, PublishedFile, check_files, write_table
from ufd_ray.storage.runs.reruns import failed_images, find_runs, scored_images
from ufd_ray.storage.runs.sampling import Frame, Stratum, open_frame
from ufd_ray.storage.runs.scored import Scored, find_scored
from ufd_ray.storage.runs.small_tables import read_small_tables
from ufd_ray.storage.runs.verification import verify_current, verify_run, verify_runs
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import absolute_uri, image_id, join_uri, parse_uri, scheme_of
from ufd_ray.storage.vectors import embedding_column, embedding_matrix

__all__ = [
    "BASELINE",
    "ROWS_AT_ONCE",
    "ROWS_PER_GROUP",
    "BankInfo",
    "BaselineInfo",
    "Choice",
    "FetchLimits",
    "Fetched",
    "FileOnNode",
    "FilledIn",
    "Frame",
    "Inputs",
    "KeptEmbeddings",
    "Known",
    "Lease",
    "LeaveOneOut",
    "Ledger",
    "ManifestInfo",
    "ManifestRange",
    "NeighborsFile",
    "Parts",
    "ProbeFiles",
    "PruningPolicy",
    "PublishedFile",
    "PublishedRun",
    "RunFolder",
    "ScoreFiles",
    "Scored",
    "StorageOptions",
    "StoredEmbeddings",
    "StoredFile",
    "Stratum",
    "absolute_uri",
    "cells_as_matrix",
    "check_files",
    "check_no_sample",
    "check_writable",
    "delete_objects",
    "describe_differences",
    "describe_file",
    "embedding_column",
    "embedding_files",
    "embedding_matrix",
    "embedding_ranges",
    "export_current",
    "export_runs",
    "failed_images",
    "fetch",
    "file_on_node",
    "find_document",
    "find_runs",
    "find_scored",
    "image_id",
    "index_embeddings",
    "join_uri",
    "list_folder",
    "local_copy",
    "manifest_ranges",
    "marked",
    "network_file",
    "new_run_id",
    "object_exists",
    "one_at_a_time",
    "open_filesystem",
    "open_frame",
    "open_parts",
    "outcome_of_earlier",
    "parse_uri",
    "plan_pruning",
    "printable",
    "prune",
    "published_run",
    "published_runs",
    "read_bank_info",
    "read_baseline_info",
    "read_document",
    "read_labels",
    "read_neighbors",
    "read_object",
    "read_probe",
    "read_range",
    "read_searchable",
    "read_shards",
    "read_small_tables",
    "read_stored",
    "scheme_of",
    "scored_images",
    "select_images",
    "tidy_up",
    "utc_now",
    "verify_current",
    "verify_run",
    "verify_runs",
    "why_refused",
    "write_audit",
    "write_current",
    "write_document",
    "write_manifest",
    "write_neighbors",
    "write_network",
    "write_object",
    "write_probe",
    "write_sample",
    "write_table",
]
