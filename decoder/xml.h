/*
 * The text of XML: office documents are ZIP files with XML in them, which
 * unzip(1) brings out, and searches should find what a reader sees.
 */
#ifndef DECODER_XML_H
#define DECODER_XML_H

#include <stdbool.h>

#include "base/buf.h"

/* Does TEXT begin as XML documents do? */
bool xml_is(const struct buf *text);

/* Takes the tags and comments off B and puts characters for their names. The end
 * of a paragraph, a line, a cell and the like become a line end: what an element
 * is, is only its name, without a prefix. It never grows, and any bytes will
 * do. */
void xml_strip(struct buf *b);

#endif
