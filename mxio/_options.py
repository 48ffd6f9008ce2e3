"""Types of the options of every face, from mxio/native/params.def by `make gen`."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from mxio._views import Selection

if TYPE_CHECKING:
    import torch

NumPyType = np.dtype[Any] | type[np.generic]
DataType = Literal["float32", "float16", "uint8", "int8", "bfloat16"] | NumPyType | None
LabelType = Literal["float32", "float64", "int32", "int64"] | NumPyType | None


class Options(TypedDict, total=False):
    """Options that the faces for classification share."""

    path_imgrec: str | os.PathLike[str]
    path_imgidx: str | os.PathLike[str]
    path_imglist: str | os.PathLike[str]
    data_shape: tuple[int, int, int]
    label_width: int
    shuffle: bool
    shuffle_chunk_size: int
    shuffle_chunk_seed: int
    seed: int
    cache_index: bool
    batch_size: int
    layout: Literal["NCHW", "NHWC"]
    resize: int
    max_rotate_angle: int
    max_shear_ratio: float
    rotate: int
    rotate_list: str
    max_random_scale: float
    min_random_scale: float
    max_img_size: float
    min_img_size: float
    pad: int
    fill_value: int
    max_crop_size: int
    min_crop_size: int
    rand_crop: bool
    random_resized_crop: bool
    max_random_area: float
    min_random_area: float
    max_aspect_ratio: float
    min_aspect_ratio: float | None
    inter_method: int
    brightness: float
    contrast: float
    saturation: float
    random_h: int
    random_s: int
    random_l: int
    pca_noise: float
    mirror: bool
    rand_mirror: bool
    mean_img: str | os.PathLike[str]
    mean_r: float
    mean_g: float
    mean_b: float
    mean_a: float
    std_r: float
    std_g: float
    std_b: float
    std_a: float
    scale: float
    max_random_contrast: float
    max_random_illumination: float
    seed_aug: int | None
    preprocess_threads: int
    prefetch_buffer: int
    on_error: Literal["raise", "skip", "replace"]
    max_errors: int
    max_pixels: int
    timeout: float
    verbose: bool


class MxOptions(Options, total=False):
    """Options of mxio.io.ImageRecordIter."""

    num_parts: int
    part_index: int
    data_name: str
    label_name: str
    round_batch: bool
    dtype: DataType
    aug_seq: Literal["aug_default"]
    crop_x_start: int
    crop_y_start: int
    ctx: Literal["gpu", "cpu"]
    device_id: int
    silent: bool


class NumpyOptions(Options, total=False):
    """Options of mxio.adapters.numpy.ImageRecordLoader."""

    num_parts: int
    part_index: int
    rank: int | None
    world_size: int | None
    records: Selection | None
    record_layout: Literal["auto", "plain", "insightface"]
    last_batch: Literal["drop", "pad", "partial"]
    dtype: DataType
    label_dtype: LabelType
    rand_downscale_prob: float
    min_downscale: float
    max_downscale: float
    rand_blur_prob: float
    max_blur_radius: int
    rand_hsv_prob: float
    max_hue_turn: float
    max_saturation_gain: float
    rand_gray_prob: float


class TorchOptions(Options, total=False):
    """Options of mxio.adapters.torch.ImageRecordDataset."""

    rank: int | None
    world_size: int | None
    shard: Literal["records", "partition"]
    num_workers: int | None
    records: Selection | None
    record_layout: Literal["auto", "plain", "insightface"]
    last_batch: Literal["drop", "pad", "partial"]
    dtype: "DataType | torch.dtype"
    label_dtype: "LabelType | torch.dtype"
    rand_downscale_prob: float
    min_downscale: float
    max_downscale: float
    rand_blur_prob: float
    max_blur_radius: int
    rand_hsv_prob: float
    max_hue_turn: float
    max_saturation_gain: float
    rand_gray_prob: float


class DetOptions(TypedDict, total=False):
    """Options of mxio.io.ImageDetRecordIter."""

    path_imgrec: str | os.PathLike[str]
    path_imgidx: str | os.PathLike[str]
    path_imglist: str | os.PathLike[str]
    data_shape: tuple[int, int, int]
    label_width: int
    label_pad_width: int
    label_pad_value: float
    num_parts: int
    part_index: int
    shuffle: bool
    shuffle_chunk_size: int
    shuffle_chunk_seed: int
    seed: int
    cache_index: bool
    data_name: str
    label_name: str
    batch_size: int
    round_batch: bool
    dtype: DataType
    layout: Literal["NCHW", "NHWC"]
    resize: int
    inter_method: int
    random_hue_prob: float
    max_random_hue: int
    random_saturation_prob: float
    max_random_saturation: int
    random_illumination_prob: float
    random_contrast_prob: float
    rand_mirror_prob: float
    rand_pad_prob: float
    max_pad_scale: float
    fill_value: int
    rand_crop_prob: float
    num_crop_sampler: int
    min_crop_scales: float | Sequence[float]
    max_crop_scales: float | Sequence[float]
    min_crop_aspect_ratios: float | Sequence[float]
    max_crop_aspect_ratios: float | Sequence[float]
    min_crop_overlaps: float | Sequence[float]
    max_crop_overlaps: float | Sequence[float]
    min_crop_sample_coverages: float | Sequence[float]
    max_crop_sample_coverages: float | Sequence[float]
    min_crop_object_coverages: float | Sequence[float]
    max_crop_object_coverages: float | Sequence[float]
    max_crop_trials: int | Sequence[int]
    crop_emit_mode: Literal["center", "overlap"]
    emit_overlap_thresh: float
    resize_mode: Literal["force", "shrink", "fit"]
    mean_img: str | os.PathLike[str]
    mean_r: float
    mean_g: float
    mean_b: float
    mean_a: float
    std_r: float
    std_g: float
    std_b: float
    std_a: float
    scale: float
    max_random_contrast: float
    max_random_illumination: float
    seed_aug: int | None
    aug_seq: Literal["det_aug_default"]
    preprocess_threads: int
    prefetch_buffer: int
    ctx: Literal["gpu", "cpu"]
    on_error: Literal["raise", "skip", "replace"]
    max_errors: int
    max_pixels: int
    timeout: float
    verbose: bool


class RawOptions(TypedDict, total=False):
    """Options of mxio.RecordDataset."""

    path_imgrec: str | os.PathLike[str]
    path_imgidx: str | os.PathLike[str]
    path_imglist: str | os.PathLike[str]
    label_width: int
    num_parts: int
    part_index: int
    rank: int | None
    world_size: int | None
    shuffle: bool
    shuffle_chunk_size: int
    shuffle_chunk_seed: int
    seed: int
    records: Selection | None
    record_layout: Literal["auto", "plain", "insightface"]
    batch_size: int
    last_batch: Literal["drop", "pad", "partial"]
    timeout: float
