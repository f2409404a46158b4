import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Results } from "../results/results.ts";
import { pictures } from "./pictures.ts";
import { hasPlace, withFigures } from "./readme-table.ts";

const fileAt = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const publishedResults = fileAt("../results.json");
export const pictureFile = (file: string): string => fileAt(`../pictures/${file}`);
export const readmeFile = fileAt("../../README.md");

/** Makes everything that shows published figures from them. Answers what it wrote, and what it could not. */
export const publish = async (results: Results): Promise<readonly string[]> => {
  const done: string[] = [];
  await mkdir(pictureFile(""), { recursive: true });
  for (const { file, draw } of pictures) {
    await writeFile(pictureFile(file), draw(results));
    done.push(`bench/pictures/${file} is drawn.`);
  }
  const readme = await readFile(readmeFile, "utf8");
  if (hasPlace(readme)) {
    await writeFile(readmeFile, withFigures(readme, results));
    done.push("README.md shows the figures.");
  } else done.push("README.md has no markers for the figures and stays as it is.");
  return done;
};
