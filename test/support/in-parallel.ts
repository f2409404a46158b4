/** Runs the tasks side by side, at most `atOnce`, as a service under load does; outputs in the inputs' order. */
export const inParallel = async <Input, Output>(
  inputs: readonly Input[],
  task: (input: Input) => Promise<Output>,
  atOnce = 64,
): Promise<Output[]> => {
  const outputs: Output[] = [];
  const rest = inputs.entries();
  const worker = async () => {
    for (const [at, input] of rest) outputs[at] = await task(input);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return outputs;
};
