import { existsSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/**
 * A new, empty database of dynoxide 1.2.1 with one index more, gzipped:
 *
 *     dynoxide serve --db-path seed.sqlite   # and stop it again
 *     sqlite3 seed.sqlite 'CREATE INDEX codewell_stream ON _stream_records
 *       (table_name, CAST(sequence_number AS INTEGER)); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)'
 *     gzip -9n < seed.sqlite | base64
 *
 * For every write to a table with a stream, dynoxide asks for the greatest sequence number so far. Without an index
 * that reads all records that were ever written: 0.3 ms per write in a new table, 1.8 ms after 12,000, and a file of a
 * million codes would never be loaded. With it a write takes 0.2 ms, however many there were.
 */
const seed = [
  "H4sIAAAAAAACA+3aTVPaQBgH8ADKix2L7cXpeNmbMtpOO50eeuhMU007TBERoqOnTEgW2DYkmGywHpkePPZz9bt02muP3bygkoDg",
  "scz/NzBJyLObJ7ublQRbxzXGKek4bl/n5LW0IWWz0ntCJEnKiXdRurUq3it3tjPSfDnphZFZL/+VCkVDKr8r/3z0pvy4JBf/iE0A",
  "AABYXqNSobC5u5sZVZlt0m+GY9JLalmax12q98cLlxqOa3rF/aYiqwqp1g+UM5KIJUd1kognO1xvW1Sz9T7dI/tyS93x6IVPbUN8",
  "5vfb1CVyS9SmKp+UZqXSyOeDVM7DQt6FJb77aOP4xGYhzkSVP9QUkti5Ex5PbFW+X6yGZ3f9LEpkMr3EZn6iztSprJEEZo5TJ41m",
  "9VBunpPPyjmRT9Sjal3UdajU1b1UqdsWIapyppL6kXif1GrpSDqkNl8o8iu98rQvnmPPC7Tppcb6ejeqMb3fscx79yd7b87hvJ7u",
  "igrNeXGGaGlOTU18yR236Oxg36OuqFO0DeNXYc0TIZXr01xhc2sr8yMXNXU0muLFymQfRx9O6dtkL93p4KnNr3lGj/b1eSeqc+6y",
  "ti/Gqkk7zGacObY3r1DXY6nwdJS1UFQ8qKkdnN/t+D1QPsonNZW8nFliyMTQ4VcDen/Flt6m1owQzi3tpgHuiXlAcg8aOOMpQOd+",
  "os1vDrEt76vVU2U7XbjNLIvZXa0vJr2o8E2ZhnyuNZSm1lSOT5SWOqXwwHWGzBPdIlLlPdfxu72Bz2c1gd6d2XueyH9ADdZhhh50",
  "88wqgjM1LN2bVZNJLRpUoInUODXC1Qe0u4g2xXC3FzqdIJd4DkjvHoqDO+J6Dv74pMbv5IX9fCW/KW9lpDA2nvJ1nztR2fF1/ipe",
  "WR2VMuE8MGJxczh2h3XjRXZyHog+nDIPiEt7gQlgqFt+YpJOpJ69N/U4tVfxys29/XpwI1/+JYkXAAAAAAAAACyBp5lcpRw9RdSG",
  "1A2eFr1dC+//f0viBQAAAAAAAABL4UmuUpp8ABD8/i9toGUAAAAAAAAAltka7v8BAAAAAAAAlh5+/wcAAAAAAADA/T8AAAAAAAAA",
  "/P/w//8AAAAAAAAAy+8fmbbyQwCAAAA=",
].join("");

/** Gives dynoxide a database to begin with; one that exists stays as it is. */
export function seedDatabase(file: string): void {
  if (!existsSync(file)) writeFileSync(file, gunzipSync(Buffer.from(seed, "base64")));
}
