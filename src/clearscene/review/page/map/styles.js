// How polygons look: the colors and the hatching that QGIS gives them (vector/style.py, inspection/layers.py).

import { store } from "../store.js";

const { Style, Fill, Stroke, Circle } = ol.style;
const FILL_ALPHA = 90 / 255;
const OUTLINE_PX = 1.5; // 0.4 mm
const REJECTED = "#808080";
const cache = new Map();

function rgba(hex, alpha) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

/** Backward diagonal lines, as QGIS's `b_diagonal`. */
function hatching(color) {
  const size = 8 * devicePixelRatio;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d");
  pen.strokeStyle = color;
  pen.lineWidth = devicePixelRatio;
  for (const shift of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(shift, 0);
    pen.lineTo(shift + size, size);
    pen.stroke();
  }
  return pen.createPattern(canvas, "repeat");
}

function build({ color, status, isSelected, isHovered }) {
  const isRejected = status === "rejected";
  const ink = isRejected ? REJECTED : color;
  const dash = isRejected ? [6, 4] : undefined;
  if (isSelected) {
    // Nearly no fill, so that the pixels in question can be judged; a dark and a light casing stand out on any scene.
    return [
      new Style({ stroke: new Stroke({ color: "rgba(0,0,0,.65)", width: 6 }) }),
      new Style({ stroke: new Stroke({ color: "#fff", width: 4 }) }),
      new Style({
        fill: new Fill({ color: isRejected ? hatching(rgba(REJECTED, 0.5)) : rgba(color, 0.08) }),
        stroke: new Stroke({ color: ink, width: 2, lineDash: dash }),
      }),
    ];
  }
  const fill = isRejected ? hatching(rgba(REJECTED, 0.8)) : rgba(color, isHovered ? 0.5 : FILL_ALPHA);
  const stroke = new Stroke({ color: ink, width: isHovered ? 3 : OUTLINE_PX, lineDash: dash });
  return [new Style({ fill: new Fill({ color: fill }), stroke })];
}

/** Styles of a finding; the same arguments give the same object, which keeps the drawing fast. */
export function styleOf(finding, { isSelected = false, isHovered = false } = {}) {
  const name = [finding.type, finding.status === "rejected", isSelected, isHovered].join();
  if (!cache.has(name)) {
    const { color } = store.typeOf(finding.type);
    cache.set(name, build({ color, status: finding.status, isSelected, isHovered }));
  }
  return cache.get(name);
}

/** A dot in place of what would be too small to see. */
export function dotStyle(finding) {
  const color = finding.status === "rejected" ? REJECTED : store.typeOf(finding.type).color;
  const name = `dot ${color}`;
  if (!cache.has(name))
    cache.set(name, new Circle({ radius: 4.5, stroke: new Stroke({ color: "#fff", width: 1.5 }), fill: new Fill({ color }) }));
  return (extent) => new Style({ image: cache.get(name), geometry: new ol.geom.Point(ol.extent.getCenter(extent)) });
}

/** The look of what is being drawn. */
export function sketchStyle(color) {
  const halo = new Style({ stroke: new Stroke({ color: "rgba(0,0,0,.6)", width: 4 }) });
  const line = new Style({
    stroke: new Stroke({ color, width: 2 }),
    fill: new Fill({ color: rgba(color, 0.2) }),
    image: new Circle({ radius: 5, fill: new Fill({ color }), stroke: new Stroke({ color: "#fff", width: 1.5 }) }),
  });
  return [halo, line];
}

const HANDLE = new Circle({ radius: 4.5, fill: new Fill({ color: "#fff" }), stroke: new Stroke({ color: "#111", width: 1.5 }) });

/** The look of a polygon whose corners can be dragged. */
export function vertexStyle(color) {
  const corners = (feature) =>
    new ol.geom.MultiPoint(
      feature
        .getGeometry()
        .getPolygons()
        .flatMap((p) => p.getCoordinates().flat()),
    );
  return [
    new Style({ stroke: new Stroke({ color: "rgba(0,0,0,.65)", width: 4 }) }),
    new Style({ stroke: new Stroke({ color, width: 2 }), fill: new Fill({ color: rgba(color, 0.08) }) }),
    new Style({ geometry: corners, image: HANDLE }),
  ];
}
