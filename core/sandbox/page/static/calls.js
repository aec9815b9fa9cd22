// The page's calls to its own server.

export async function post(path, body) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error("The sandbox does not answer. Is it running?");
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(json.message ?? `The sandbox answered ${answer.status}.`);
  return json;
}

export async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`The sandbox answered ${answer.status}.`);
  return answer.json();
}
