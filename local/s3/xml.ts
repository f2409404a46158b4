import { XMLParser } from "fast-xml-parser";
import { S3Error } from "./errors.ts";

/** What an element holds: text, elements by name, or the same element several times. */
export type XmlContent =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlContent[]
  | { readonly [name: string]: XmlContent };

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/** Renders one document. Absent values are left out, arrays repeat their element. */
export function renderXml(root: string, content: XmlContent): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${namespace}">${inner(content)}</${root}>`;
}

/** Renders an error: unlike every other document, it has no namespace. */
export function renderErrorXml(content: XmlContent): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("Error", content)}`;
}

function element(name: string, content: XmlContent): string {
  if (content === undefined) return "";
  if (isList(content)) return content.map((one) => element(name, one)).join("");
  return `<${name}>${inner(content)}</${name}>`;
}

function inner(content: XmlContent): string {
  if (content === undefined) return "";
  if (isList(content)) return content.map(inner).join("");
  if (typeof content !== "object") return escapeText(String(content));
  return Object.entries(content)
    .map(([name, value]) => element(name, value))
    .join("");
}

const isList = (content: XmlContent): content is readonly XmlContent[] => Array.isArray(content);

const entityByCharacter: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Control characters are sent as references, as S3 does: a key may hold any of them, and a bare CR would be read as LF. */
function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be escaped
  return text.replace(/[&<>"\u0000-\u0008\u000b-\u001f]/g, (one) => {
    return entityByCharacter[one] ?? `&#x${one.charCodeAt(0).toString(16)};`;
  });
}

/** An element that was read: all elements below it by name, each as a list, and its own text. */
export class XmlElement {
  constructor(private readonly node: unknown) {}

  /** The first element of that name, if there is one. */
  child(name: string): XmlElement | undefined {
    return this.children(name)[0];
  }

  children(name: string): XmlElement[] {
    if (typeof this.node !== "object" || this.node === null || !Object.hasOwn(this.node, name)) return [];
    const found: unknown = Reflect.get(this.node, name);
    return (Array.isArray(found) ? found : [found]).map((one) => new XmlElement(one));
  }

  /** The text of the first element of that name, if there is one. */
  text(name: string): string | undefined {
    return this.child(name)?.ownText();
  }

  /** The text of an element that the schema asks for. */
  requiredText(name: string): string {
    const text = this.text(name);
    if (text === undefined) throw new S3Error("MalformedXML");
    return text;
  }

  ownText(): string {
    if (typeof this.node === "object" && this.node !== null) {
      const text: unknown = Reflect.get(this.node, "#text");
      return text === undefined ? "" : String(text);
    }
    return String(this.node ?? "");
  }
}

// Values are not trimmed and not read as numbers: a key may begin with a blank or look like a number.
const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
});

/** Parses a request body whose outermost element must be `root`. */
export function parseXml(text: string, root: string): XmlElement {
  // S3 takes no document type; without one there are no entities of the sender's own either.
  if (text.includes("<!DOCTYPE")) throw new S3Error("MalformedXML");
  let document: XmlElement;
  try {
    document = new XmlElement(parser.parse(text, true));
  } catch {
    throw new S3Error("MalformedXML");
  }
  const found = document.child(root);
  if (!found) throw new S3Error("MalformedXML");
  return found;
}
