"""All input and output: objects, manifests, banks, probes, runs. One credential chain for all."""

from ufd_ray.storage.banks import (
    BankInfo,
    embedding_column,
    embedding_matrix,
    read_bank_info,
    read_searchable,
    read_shards,
)
from ufd_ray.storage.documents import outcome_of_earlier, read_document, write_document
from ufd_ray.storage.fetching import Fetched, FetchLimits, Known, fetch
from ufd_ray.storage.inputs import Inputs, folder_label
from ufd_ray.storage.listing import ObjectInfo, list_prefix
from ufd_ray.storage.manifests import ManifestInfo, number_images, write_manifest
from ufd_ray.storage.objects import (
    check_writable,
    delete_folder,
    delete_object,
    list_folder,
    local_copy,
    object_exists,
    read_object,
    tidy_up,
    write_object,
)
from ufd_ray.storage.probes import ProbeFiles, read_probe, write_probe
from ufd_ray.storage.publication import Parts, PublishedFile, write_table
from ufd_ray.storage.runs import RunFolder, new_run_id, utc_now
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import image_id, join_uri, parse_uri

__all__ = [
    "BankInfo",
    "FetchLimits",
    "Fetched",
    "Inputs",
    "Known",
    "ManifestInfo",
    "ObjectInfo",
    "Parts",
    "ProbeFiles",
    "PublishedFile",
    "RunFolder",
    "StorageOptions",
    "check_writable",
    "delete_folder",
    "delete_object",
    "embedding_column",
    "embedding_matrix",
    "fetch",
    "folder_label",
    "image_id",
    "join_uri",
    "list_folder",
    "list_prefix",
    "local_copy",
    "new_run_id",
    "number_images",
    "object_exists",
    "open_filesystem",
    "outcome_of_earlier",
    "parse_uri",
    "read_bank_info",
    "read_document",
    "read_object",
    "read_probe",
    "read_searchable",
    "read_shards",
    "tidy_up",
    "utc_now",
    "write_document",
    "write_manifest",
    "write_object",
    "write_probe",
    "write_table",
]
