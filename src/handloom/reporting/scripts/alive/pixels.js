"use strict";

/**
 * An image that can be drawn on: entries in row-major order, (channels, height, width).
 *
 * @typedef {{shape: number[], pixels: Float32Array}} Drawing
 */

/** @typedef {{x: number, y: number}} Point - in pixels; (0, 0) is the middle of the first one */

/**
 * Paint a line with a round brush; its edge is soft, like those of the images.
 *
 * @param {Drawing} drawing - changed
 * @param {Point} from
 * @param {Point} to
 * @param {number} diameter - of the brush, in pixels
 * @param {number[]} color - the value of each channel
 */
function paintLine(drawing, from, to, diameter, color) {
  const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
  for (let step = 1; step <= steps; step++) {
    const x = from.x + ((to.x - from.x) * step) / steps;
    const y = from.y + ((to.y - from.y) * step) / steps;
    paintDot(drawing, { x, y }, diameter, color);
  }
}

/**
 * Paint a dot. A pixel is covered in part where the edge of the brush crosses it.
 *
 * @param {Drawing} drawing - changed
 * @param {Point} center
 * @param {number} diameter
 * @param {number[]} color
 */
function paintDot({ shape, pixels }, center, diameter, color) {
  const [channels, height, width] = shape;
  const reach = Math.ceil(diameter / 2 + 1);
  const [left, top] = [Math.max(Math.floor(center.x) - reach, 0), Math.max(Math.floor(center.y) - reach, 0)];
  for (let y = top; y < Math.min(top + 2 * reach + 2, height); y++) {
    for (let x = left; x < Math.min(left + 2 * reach + 2, width); x++) {
      const distance = Math.hypot(x - center.x, y - center.y);
      const cover = Math.min(Math.max(diameter / 2 + 0.5 - distance, 0), 1);
      if (cover === 0) continue;
      for (let c = 0; c < channels; c++) {
        const i = (c * height + y) * width + x;
        pixels[i] += cover * (color[c] - pixels[i]);
      }
    }
  }
}

/**
 * Return the pixels of a moved image: each pixel comes from a point of the old one.
 *
 * A point between pixels has the mean of its four neighbors, weighted by how near they are
 * (bilinear interpolation); outside of the image there is the background.
 *
 * @param {Drawing} drawing
 * @param {number} background
 * @param {(point: Point) => Point} source - from the new place of a pixel to the old one
 * @returns {Float32Array}
 */
function movedPixels({ shape, pixels }, background, source) {
  const [channels, height, width] = shape;
  const moved = new Float32Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = source({ x, y });
      const left = Math.floor(from.x);
      const top = Math.floor(from.y);
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [p, q] of [[top, left], [top, left + 1], [top + 1, left], [top + 1, left + 1]]) {
          const near = (1 - Math.abs(from.y - p)) * (1 - Math.abs(from.x - q));
          const inside = p >= 0 && p < height && q >= 0 && q < width;
          sum += near * (inside ? pixels[(c * height + p) * width + q] : background);
        }
        moved[(c * height + y) * width + x] = sum;
      }
    }
  }
  return moved;
}

/**
 * The ways to move a whole image, by name: from the new place of a pixel to the old one.
 *
 * @type {Record<string, (point: Point, shape: number[]) => Point>}
 */
const MOVES = {
  left: ({ x, y }) => ({ x: x + 1, y }),
  right: ({ x, y }) => ({ x: x - 1, y }),
  up: ({ x, y }) => ({ x, y: y + 1 }),
  down: ({ x, y }) => ({ x, y: y - 1 }),
  mirror: ({ x, y }, [, , width]) => ({ x: width - 1 - x, y }),
};

/**
 * Return where a pixel of a turned image comes from.
 *
 * @param {Point} point
 * @param {number[]} shape
 * @param {number} degrees - clockwise
 * @returns {Point}
 */
function turnedPoint({ x, y }, [, height, width], degrees) {
  const angle = (degrees * Math.PI) / 180;
  const [right, down] = [x - (width - 1) / 2, y - (height - 1) / 2];
  return {
    x: (width - 1) / 2 + right * Math.cos(angle) + down * Math.sin(angle),
    y: (height - 1) / 2 - right * Math.sin(angle) + down * Math.cos(angle),
  };
}

/**
 * Return pixels as the bytes of a picture: red, green, blue and opacity of each.
 *
 * @param {Drawing} drawing - with 3 channels in color; of any others, the first one in gray
 * @param {number[]} levels - the values of black and white
 * @returns {ImageData}
 */
function pictureOf({ shape, pixels }, [low, high]) {
  const [channels, height, width] = shape;
  const picture = new ImageData(width, height);
  const area = height * width;
  for (let i = 0; i < area; i++) {
    for (let color = 0; color < 3; color++) {
      const value = pixels[i + (channels === 3 ? color * area : 0)];
      picture.data[4 * i + color] = (255 * (value - low)) / (high - low);
    }
    picture.data[4 * i + 3] = 255;
  }
  return picture;
}
