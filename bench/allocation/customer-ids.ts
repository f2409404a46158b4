/** Customer ids as long as a UUID, none twice. */
export const customerIds = (): ((count: number) => readonly string[]) => {
  let last = 0;
  return (count) =>
    Array.from({ length: count }, () => {
      last += 1;
      return `3f0c6a52-9d0b-4b5e-8a55-${String(last).padStart(12, "0")}`;
    });
};
