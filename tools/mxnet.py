"""Which parameters of MXNet 1.9.1's iterators and mxio's are the same, and which not.

tools/gen.py joins this with the tables of the parameters into the one of
docs/coming-from-mxnet.md, and refuses a parameter of which nothing is said here.
"""

from typing import NamedTuple

__all__ = ["DIFFERENCES", "SAME", "Difference"]


class Difference(NamedTuple):
    """default: MXNet's, as Python writes it; None when it is mxio's, "" when MXNet has
    no such parameter. what: the difference, a sentence, with a dot.
    """

    default: str | None
    what: str


_CONTEXT = Difference(None, "Accepted and without effect: arrays are on the CPU.")
_SAME_HERE = Difference("", "New here, accepted and without effect.")
_SILENT = Difference("", "Of older versions; accepted and without effect.")
_NAME = Difference(None, "Same. MXNet's documentation does not mention it.")
_TIMEOUT = Difference("", "New: an error instead of waiting for ever.")
_AHEAD = Difference(None, "Same; 0 is an error (MXNet crashed).")
_BATCH_SIZE = Difference(None, "Same; 0 and less is an error (MXNet hung).")
_PARTS = Difference(None, "Same parts; an empty one is an error that says so.")
_ROUND = Difference(
    None,
    "Same; with False `pad` counts the missing rows, which are zeros (MXNet left old"
    " memory there).",
)
_JITTER = Difference(None, "Same; also for one and four channels (MXNet failed).")
_CROP_SIZE = Difference(
    None, "Same; one without the other is refused (MXNet drew nonsense)."
)
_HUE = Difference(None, "Same; refused for one channel (MXNet failed).")
_CROP_START = Difference("", "Of older versions; without effect there, too.")
_TABLE_DTYPE = "None means float32."

_IMAGES = {
    "path_imgrec": Difference(
        "''",
        "Must be given, as in MXNet, which says so later; files of a directory and of a"
        " pattern in sorted order; no `stdin`, no `#cachefile`. ImageDetRecordIter has"
        " no default (MXNet: './data/imgrec.rec').",
    ),
    "path_imgidx": Difference(
        None,
        "Same; a missing file is FileNotFoundError (MXNet crashed). New for"
        " ImageDetRecordIter.",
    ),
    "path_imglist": Difference(
        None,
        "Same; a line with too few labels is an error (MXNet read the path as 0).",
    ),
    "data_shape": Difference(None, "Same; other than 1, 3, 4 channels are refused."),
    "num_parts": _PARTS,
    "shuffle": Difference(
        None,
        "All records, with or without an index (MXNet without: those of one 64 MB"
        " chunk).",
    ),
    "shuffle_chunk_size": Difference(
        None, "Same; 0 mixes all records instead of those of a chunk."
    ),
    "seed": Difference(
        None, "Reaches the augmentation, too; results do not depend on threads."
    ),
    "seed_aug": Difference(
        None,
        "Varies by record and epoch (MXNet with an index: every batch the same). New"
        " for ImageDetRecordIter.",
    ),
    "cache_index": Difference("", "New: keeps the index that shuffling had to make."),
    "data_name": _NAME,
    "label_name": _NAME,
    "batch_size": _BATCH_SIZE,
    "round_batch": _ROUND,
    "dtype": Difference(
        "None",
        "None means float32. float16 works (MXNet: an error), bfloat16 is new;"
        " ImageDetRecordIter knows them all. uint8 and int8 refuse what they have no"
        " use for (mean, std, scale), which MXNet ignored.",
    ),
    "layout": Difference("", "New: NHWC without a copy."),
    "max_crop_size": _CROP_SIZE,
    "min_crop_size": _CROP_SIZE,
    "rotate_list": Difference(None, "Same. MXNet's documentation does not mention it."),
    "inter_method": Difference(
        None, "Same; a wrong one is refused at once, not when it is used."
    ),
    "brightness": _JITTER,
    "contrast": _JITTER,
    "saturation": _HUE,
    "random_h": _HUE,
    "random_s": _HUE,
    "random_l": _JITTER,
    "pca_noise": _HUE,
    "max_random_hue": _HUE,
    "max_random_saturation": _HUE,
    "det_fill_value": Difference(
        None,
        "Also what resize_mode 'shrink' and 'fit' leave free (MXNet: old memory).",
    ),
    "mean_img": Difference(
        None,
        "The file is made of plain pixels, before mirror, mean, std and scale (MXNet:"
        " after them); its shape is checked.",
    ),
    **{
        f"std_{channel}": Difference(None, "Same; 0 is refused (MXNet: infinity).")
        for channel in "rgba"
    },
    "aug_seq": Difference(None, "Same; another is refused (MXNet crashed)."),
    "det_aug_seq": Difference(None, "Same; another is refused (MXNet crashed)."),
    "crop_x_start": _CROP_START,
    "crop_y_start": _CROP_START,
    "preprocess_threads": Difference(
        "4",
        "0 is every core that the process may use; a number is kept (MXNet: at most"
        " half of the cores).",
    ),
    "prefetch_buffer": _AHEAD,
    "ctx": Difference(
        None,
        "Accepted and without effect (MXNet 'cpu': without threads of its own).",
    ),
    "device_id": _CONTEXT,
    "on_error": Difference("", "New: go on without a bad record, or with another."),
    "max_errors": Difference("", "New: bound of on_error."),
    "max_pixels": Difference("", "New: a picture that claims more is a bad record."),
    "timeout": _TIMEOUT,
    "verbose": Difference("True", "Says nothing unless asked to."),
    "silent": Difference("", "Of older versions."),
}
_MNIST = {
    "image": Difference(None, "Same; also packed by gzip; header and size checked."),
    "label": Difference(None, "Same; also packed by gzip; header and size checked."),
    "num_parts": Difference(None, "Same."),
    "seed": Difference(None, "Another order than MXNet's, as fixed."),
    "silent": Difference(None, "Same: there is nothing to say."),
    "batch_size": Difference(
        None,
        "Same; one larger than the part is an error (MXNet: StopIteration).",
    ),
    "dtype": Difference("None", _TABLE_DTYPE + " Others are refused (MXNet: no use)."),
}
_CSV = {
    "data_csv": Difference(None, "Same; no `stdin`, no `#cachefile`."),
    "label_csv": Difference(None, "Same; no `stdin`, no `#cachefile`."),
    "round_batch": _ROUND,
    "dtype": Difference("None", _TABLE_DTYPE),
}
_LIBSVM = {
    "data_libsvm": Difference(None, "Same; no `stdin`, no `#cachefile`."),
    "label_libsvm": Difference(None, "Same; no `stdin`, no `#cachefile`."),
    "data_shape": Difference(
        None, "Same; an index beyond it is an error (MXNet did not notice)."
    ),
    "num_parts": _PARTS,
    "dtype": Difference("None", _TABLE_DTYPE),
}
_COMMON = {
    "data_name": _NAME,
    "label_name": _NAME,
    "prefetch_buffer": _AHEAD,
    "batch_size": _BATCH_SIZE,
    "ctx": _CONTEXT,
    "device_id": _SAME_HERE,
    "timeout": _TIMEOUT,
    "verbose": _SAME_HERE,
    "silent": _SAME_HERE,
}

DIFFERENCES: dict[str, dict[str, Difference]] = {
    "images": _IMAGES,
    "MNISTIter": _COMMON | _MNIST,
    "CSVIter": _COMMON | _CSV,
    "LibSVMIter": _COMMON | _LIBSVM,
    "NDArrayIter": {
        "data": Difference(None, "Same; `idx` says the order after every shuffle."),
        "shuffle": Difference(
            None, "Same order for a NumPy seed; HDF5 data sets are shuffled, too."
        ),
    },
}

# Names of those whose default and meaning are the same.
SAME: dict[str, str] = {
    "images": """
        label_width det_label_width label_pad_width label_pad_value part_index
        shuffle_chunk_seed resize max_rotate_angle max_shear_ratio rotate
        max_random_scale min_random_scale max_img_size min_img_size pad fill_value
        rand_crop random_resized_crop max_random_area min_random_area max_aspect_ratio
        min_aspect_ratio mirror rand_mirror random_hue_prob random_saturation_prob
        random_illumination_prob random_contrast_prob rand_mirror_prob rand_pad_prob
        max_pad_scale rand_crop_prob num_crop_sampler min_crop_scales max_crop_scales
        min_crop_aspect_ratios max_crop_aspect_ratios min_crop_overlaps
        max_crop_overlaps min_crop_sample_coverages max_crop_sample_coverages
        min_crop_object_coverages max_crop_object_coverages max_crop_trials
        crop_emit_mode emit_overlap_thresh resize_mode mean_r mean_g mean_b mean_a
        det_std_r det_std_g det_std_b det_std_a scale max_random_contrast
        max_random_illumination
    """,
    "MNISTIter": "part_index shuffle flat",
    "CSVIter": "data_shape label_shape",
    "LibSVMIter": "label_shape part_index round_batch",
    "NDArrayIter": "label batch_size last_batch_handle data_name label_name layout",
}
