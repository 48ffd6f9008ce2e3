#include "jpeg_entropy.h"

#include "jpeg_tables.h"

_Static_assert(sizeof(JCOEF) == sizeof(int16_t) && DCTSIZE2 == 64, "other blocks");
_Static_assert(D_MAX_BLOCKS_IN_MCU == MXIO_HUFFMAN_BLOCKS, "other MCUs");
_Static_assert(MAX_COMPS_IN_SCAN == MXIO_HUFFMAN_COMPONENTS, "other scans");

/* The beginning of libjpeg's private struct, the same in libjpeg-turbo 1.5 to 3.2. */
struct jpeg_entropy_decoder {
    void (*start_pass)(j_decompress_ptr codec);
    boolean (*decode_mcu)(j_decompress_ptr codec, JBLOCKROW *blocks);
};

struct mxio_entropy {
    bool used;
    uint32_t mcu;         /* that libjpeg asks for next */
    uint32_t column;      /* of it */
    uint32_t columns;     /* MCUs in a row */
    uint32_t first, last; /* columns that the output needs */
    struct mxio_huffman_scan scan;
    struct mxio_huffman_cache tables;
};

enum mxio_status
mxio_entropy_new(struct mxio_entropy **out, struct mxio_error *err)
{
    struct mxio_entropy *entropy = mxio_alloc(sizeof *entropy);

    if (entropy == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for an entropy decoder");
    *out = entropy;
    return MXIO_OK;
}

void
mxio_entropy_free(struct mxio_entropy *entropy)
{
    mxio_free(entropy);
}

bool
mxio_entropy_was_used(const struct mxio_entropy *entropy)
{
    return entropy->used;
}

bool
mxio_entropy_knows(const struct jpeg_decompress_struct *codec)
{
    /* The last line is what tells lossless pictures and broken headers apart. */
    return codec->data_precision == 8 && !codec->progressive_mode &&
           !codec->arith_code && codec->comps_in_scan == codec->num_components &&
           codec->unread_marker == 0 && codec->entropy != NULL &&
           codec->entropy->decode_mcu != NULL && codec->Ss == 0 &&
           codec->Se == DCTSIZE2 - 1 && codec->Ah == 0 && codec->Al == 0;
}

/* The table as we use it, or NULL. */
static const struct mxio_huffman_table *
get_table(struct mxio_entropy *entropy, const JHUFF_TBL *stored, bool dc)
{
    return stored != NULL ? mxio_huffman_cache_get(&entropy->tables, stored->bits + 1,
                                                   stored->huffval, dc)
                          : NULL;
}

/* libjpeg asks for the next MCU; without blocks, for it to be passed over. What need
 * not be read now is read, or jumped over, when a later one is needed. */
static boolean
decode_mcu(j_decompress_ptr codec, JBLOCKROW *blocks)
{
    struct mxio_entropy *entropy = codec->client_data;
    const uint32_t mcu = entropy->mcu++;
    const uint32_t column = entropy->column;

    entropy->column = column + 1 < entropy->columns ? column + 1 : 0;
    if (blocks == NULL || column < entropy->first || column > entropy->last)
        return TRUE;
    entropy->used = true;
    if (mxio_huffman_read(&entropy->scan, mcu, (int16_t(*const *)[DCTSIZE2])blocks))
        return TRUE;
    struct mxio_jpeg_fence *fence = (struct mxio_jpeg_fence *)codec->err;
    fence->irregular = true;
    longjmp(fence->back, 1);
}

/* False when a table is missing. */
static bool
lay_out(struct mxio_entropy *entropy, const struct jpeg_decompress_struct *codec,
        struct mxio_huffman_layout *out)
{
    bool whole = true;

    out->block_count = codec->blocks_in_MCU;
    out->restart_interval = codec->restart_interval;
    for (int i = 0; i < codec->blocks_in_MCU; i++) {
        struct mxio_huffman_block *block = &out->blocks[i];
        const int place = codec->MCU_membership[i];
        const jpeg_component_info *component = codec->cur_comp_info[place];
        block->component = place;
        block->wanted = component->component_needed;
        if (i > 0 && codec->MCU_membership[i - 1] == place) {
            block->dc = out->blocks[i - 1].dc;
            block->ac = out->blocks[i - 1].ac;
            continue;
        }
        block->dc =
            get_table(entropy, codec->dc_huff_tbl_ptrs[component->dc_tbl_no], true);
        block->ac =
            get_table(entropy, codec->ac_huff_tbl_ptrs[component->ac_tbl_no], false);
        whole = whole && block->dc != NULL && block->ac != NULL;
    }
    return whole;
}

void
mxio_entropy_take(struct mxio_entropy *entropy, struct jpeg_decompress_struct *codec,
                  JDIMENSION left)
{
    const JDIMENSION across = codec->comps_in_scan == 1
                                  ? DCTSIZE
                                  : (JDIMENSION)codec->max_h_samp_factor * DCTSIZE;
    struct mxio_huffman_layout layout;

    entropy->used = false;
    mxio_huffman_cache_begin(&entropy->tables, codec->src->bytes_in_buffer);
    if (!lay_out(entropy, codec, &layout))
        return;
    entropy->mcu = 0;
    entropy->column = 0;
    entropy->columns = codec->MCUs_per_row;
    entropy->first = 0;
    entropy->last = entropy->columns - 1;
    if (codec->scale_num == codec->scale_denom) { /* else MCUs are smaller */
        entropy->first = left / across;
        entropy->last = (left + codec->output_width - 1) / across;
    }
    mxio_huffman_start(&entropy->scan, &layout, codec->src->next_input_byte,
                       codec->src->bytes_in_buffer);
    codec->client_data = entropy;
    codec->entropy->decode_mcu = decode_mcu;
}
