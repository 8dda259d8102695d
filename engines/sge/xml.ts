/** Reads the XML of qstat and qhost, which is flat and regular. Pure. */

/** An element: what stands in it, and its attributes. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

const TAG = /<(\/?)([\w:-]+)((?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/g;
const ATTRIBUTE = /([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** The outermost element; undefined for what is cut short, or no XML. Grid Engine 8.1.9 writes "<" in a text as "%lt;". */
export function parseXml(xml: string): Element | undefined {
  interface Open {
    name: string;
    attributes: Record<string, string>;
    children: Element[];
    text: string;
  }
  const open: Open[] = [];
  let root: Element | undefined;
  let end = 0;
  for (const match of xml.matchAll(TAG)) {
    const [whole, isEnd, name = "", attributes = "", isEmpty] = match;
    const top = open.at(-1);
    if (top) top.text += unescaped(xml.slice(end, match.index));
    end = match.index + whole.length;
    if (!isEnd) open.push({ name, attributes: attributesIn(attributes), children: [], text: "" });
    if (!isEnd && !isEmpty) continue;
    const done = open.pop();
    if (!done || done.name !== name) return undefined;
    const parent = open.at(-1);
    if (parent) parent.children.push(done);
    else root = done;
  }
  return open.length === 0 ? root : undefined;
}

function attributesIn(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(ATTRIBUTE)].map(([, name = "", one, other]) => [name, unescaped(one ?? other ?? "")]),
  );
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text
    .replace(/[&%](lt|gt);/g, (_, name: string) => ENTITIES[name] ?? "")
    .replace(/&(quot|apos);/g, (_, name: string) => ENTITIES[name] ?? "")
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll("&amp;", "&");
}

/** The text of the first child of this name; "" if there is none. */
export function textOf(element: Element, name: string): string {
  return element.children.find((child) => child.name === name)?.text ?? "";
}

/** All elements of this name, however deep, in the order in which they stand. */
export function elementsOf(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...elementsOf(child, name)]);
}
