// Between the scene's pixels (col, row; row down) and the map's coordinates (x, y; y up): x = col, y = -row.

const flip = (part) => (typeof part[0] === "number" ? [part[0], -part[1]] : part.map(flip));

/** Coordinates of the map from those of the scene, however deeply nested; the same turns them back. */
export const toMap = flip;
export const toScene = flip;

/** Extent of the map [minx, miny, maxx, maxy] from bounds of the scene [left, top, right, bottom]. */
export function toExtent([left, top, right, bottom]) {
  return [left, -bottom, right, -top];
}

/** GeoJSON of the scene from a polygon of the map; rings are closed, as GeoJSON wants them. */
export function toGeoJson(geometry) {
  return { type: geometry.getType(), coordinates: toScene(geometry.getCoordinates()) };
}
