// Requests to the server. Every failure becomes an ApiError with the server's own words.

/** What the server refused, or that it did not answer (`code` is then "unreachable"). */
export class ApiError extends Error {
  constructor({ status, code, message, hint = "", body = {} }) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.body = body;
  }
}

/** A name for this page, so that it knows the echo of its own gestures. */
export const CLIENT = Math.random().toString(36).slice(2, 12);

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ status: 0, code: "unreachable", message: String(error.message) });
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const { code = "failed", message = answer.statusText, hint = "" } = body.error ?? {};
  throw new ApiError({ status: answer.status, code, message, hint, body });
}

/** GET a JSON answer. */
export function get(path, { signal } = {}) {
  return request(path, { signal });
}

/** POST a JSON body; `keepalive` lets it finish while the page is being closed. */
export function post(path, body, { keepalive = false } = {}) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Clearscene-Review": "1" },
    body: JSON.stringify(body),
    keepalive,
  });
}
