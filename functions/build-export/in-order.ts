/**
 * The tasks' answers in the order of the tasks, with up to `atOnce` of them under way. The next task is begun only
 * when an answer was taken, so a slow taker holds them back.
 */
export async function* inOrder<Answer>(
  tasks: Iterable<() => Promise<Answer>>,
  atOnce: number,
): AsyncGenerator<Answer> {
  const underWay: Promise<Answer>[] = [];
  for (const task of tasks) {
    const answer = task();
    // It may fail while an earlier one is awaited, or after the taker left: it is then nobody's, not unhandled.
    answer.catch(() => {});
    underWay.push(answer);
    if (underWay.length < atOnce) continue;
    const first = underWay.shift();
    if (first) yield await first;
  }
  for (const answer of underWay) yield await answer;
}
