import * as z from "zod";
import { objectsCreatedSchema, s3TestEventSchema } from "../../shared/queues/object-created.ts";

/** An audience that goes on where its last run left it, because that run's time was over. */
const goOnSchema = z.object({ audienceId: z.string() });

export const messageSchema = z.union([objectsCreatedSchema, goOnSchema, s3TestEventSchema]);
