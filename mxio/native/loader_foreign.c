/* Rows of a batch that the caller decodes: pictures that the core does not know. */
#include "loader_inner.h"

/* The first row that still waits for the caller; those before it are done. */
static struct mxio_row *
foreign_row(struct mxio_loader *loader, size_t *number)
{
    const struct mxio_slot *taken = &loader->tickets.taken;

    for (size_t i = 0; i < taken->given; i++)
        if (taken->rows[i].foreign) {
            *number = i;
            return &taken->rows[i];
        }
    return NULL;
}

bool
mxio_loader_has_foreign(struct mxio_loader *loader)
{
    size_t number;

    return foreign_row(loader, &number) != NULL;
}

enum mxio_status
mxio_loader_foreign(struct mxio_loader *loader, const uint8_t **bytes, size_t *size,
                    struct mxio_error *err)
{
    size_t number;
    const struct mxio_row *row = foreign_row(loader, &number);

    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    return mxio_sampler_picture(loader->own, &row->ask, bytes, size, err);
}

enum mxio_status
mxio_loader_finish(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   const struct mxio_view *pixels, struct mxio_error *err)
{
    size_t number = 0;
    struct mxio_row *row = foreign_row(loader, &number);

    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    const struct mxio_sample out =
        mxio_loader_sample_at(loader, delivery->block, number);
    const enum mxio_status status =
        mxio_sampler_finish(loader->own, &row->ask, pixels, &out, err);
    row->foreign = status != MXIO_OK;
    return status;
}

/* Another record for the row; it may be foreign, too. */
static enum mxio_status
replace_row(struct mxio_loader *loader, const struct mxio_delivery *delivery,
            struct mxio_row *row, size_t number, struct mxio_error *err)
{
    const struct mxio_sample out =
        mxio_loader_sample_at(loader, delivery->block, number);
    enum mxio_status status = err->status;

    while (mxio_tickets_replaces(&loader->tickets, status)) {
        status = mxio_tickets_next_candidate(&loader->tickets, row, err);
        if (status != MXIO_OK)
            return status;
        status = mxio_sampler_make(loader->own, &row->ask, &out, err);
    }
    row->foreign = status == MXIO_EFOREIGN;
    return row->foreign ? MXIO_OK : status;
}

enum mxio_status
mxio_loader_reject(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   bool *redo, struct mxio_error *err)
{
    size_t number = 0;
    struct mxio_row *row = foreign_row(loader, &number);

    *redo = false;
    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    err->record = (int64_t)row->ask.record;
    mxio_reader_name_place(loader->reader, row->ask.place.offset, err);
    if (mxio_tickets_replaces(&loader->tickets, err->status))
        return replace_row(loader, delivery, row, number, err);
    if (loader->params.on_error != MXIO_SKIP || err->status == MXIO_ENOMEM)
        return err->status;
    const enum mxio_wait wait =
        mxio_tickets_redo(&loader->tickets, mxio_loader_patience(loader), err);
    *redo = wait == MXIO_GIVEN;
    if (*redo)
        return MXIO_OK;
    return wait == MXIO_NOT_YET ? mxio_loader_stuck(loader, err) : err->status;
}
