import { type Answer, noContent, xmlAnswer } from "./answer.ts";
import { checksumElements, checksumHeaders, tagsFromHeader, writtenHeaders } from "./attributes.ts";
import { attributesOf, type Call, placementOf } from "./call.ts";
import { checksumAlgorithmNamed, checksumAlgorithms, checksumHeader, isCrc } from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { compareKeys } from "./keys.ts";
import { type ChecksumPlan, type ListedPart, maxPartNumber, type UploadRef } from "./multipart.ts";
import { copyClaims, findCopySource } from "./object-operations.ts";
import { Payload, payloadOf, readDocument } from "./payload.ts";
import { rangeFrom } from "./ranges.ts";
import { headerOf, integerOf, type S3Request } from "./request.ts";
import { parseXml, renderXml, type XmlElement } from "./xml.ts";

const maxPageSize = 1000;

export async function createMultipartUpload(call: Call): Promise<Answer> {
  const { request, uploads, bucket, key } = call;
  const plan = checksumPlanOf(request);
  const tags = tagsFromHeader(headerOf(request, "x-amz-tagging"));

  const uploadId = await uploads.start(bucket, key, attributesOf(call, tags), plan);

  return xmlAnswer(
    renderXml("InitiateMultipartUploadResult", { Bucket: bucket, Key: key, UploadId: uploadId }),
    plan && { "x-amz-checksum-algorithm": plan.algorithm, "x-amz-checksum-type": plan.type },
  );
}

/** CRC64NVME goes over the object only, the SHA algorithms over the parts only; the others can do both. */
function checksumPlanOf(request: S3Request): ChecksumPlan | undefined {
  const named = headerOf(request, "x-amz-checksum-algorithm");
  if (named === undefined) return undefined;
  const algorithm = checksumAlgorithmNamed(named);
  const type =
    headerOf(request, "x-amz-checksum-type") ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
  const isPossible =
    type === "FULL_OBJECT" ? isCrc(algorithm) : type === "COMPOSITE" && algorithm !== "CRC64NVME";
  if (isPossible) return { algorithm, type: type === "FULL_OBJECT" ? "FULL_OBJECT" : "COMPOSITE" };
  throw new S3Error(
    "InvalidRequest",
    `The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
  );
}

export async function uploadPart(call: Call): Promise<Answer> {
  const { request, authentication, uploads } = call;
  const part = await uploads.addPart(refOf(call), partNumberOf(request), payloadOf(request, authentication));
  return {
    status: 200,
    headers: {
      etag: `"${part.etag}"`,
      "x-amz-server-side-encryption": "AES256",
      ...(part.checksum ? { [checksumHeader(part.checksum.algorithm)]: part.checksum.value } : {}),
    },
  };
}

export async function uploadPartCopy(call: Call): Promise<Answer> {
  const { request, store, uploads } = call;
  const { version, headers } = findCopySource(call);
  const range = rangeFrom(headerOf(request, "x-amz-copy-source-range"), version.size);
  const reader = store.openReader(version, range);
  try {
    const part = await uploads.addPart(
      refOf(call),
      partNumberOf(request),
      new Payload(reader.chunks, copyClaims(call, version)),
    );
    return xmlAnswer(
      renderXml("CopyPartResult", {
        ETag: `"${part.etag}"`,
        LastModified: new Date(part.modifiedAt).toISOString(),
        ...checksumElements(part.checksum),
      }),
      headers,
    );
  } finally {
    reader.close();
  }
}

export async function listParts(call: Call): Promise<Answer> {
  const { request, uploads, bucket, key } = call;
  const upload = uploads.find(refOf(call));
  const marker =
    integerOf(request.query.get("part-number-marker"), "part-number-marker", 0, maxPartNumber) ?? 0;
  const limit = Math.min(
    integerOf(request.query.get("max-parts"), "max-parts", 0, 1e9) ?? maxPageSize,
    maxPageSize,
  );
  const following = [...upload.parts.values()]
    .filter(({ number }) => number > marker)
    .toSorted((a, b) => a.number - b.number);
  const page = following.slice(0, limit);

  return xmlAnswer(
    renderXml("ListPartsResult", {
      Bucket: bucket,
      Key: key,
      UploadId: upload.uploadId,
      PartNumberMarker: marker,
      NextPartNumberMarker: page.at(-1)?.number,
      MaxParts: limit,
      IsTruncated: following.length > page.length,
      StorageClass: "STANDARD",
      ChecksumAlgorithm: upload.checksumAlgorithm,
      ChecksumType: upload.checksumType,
      Part: page.map(({ number, etag, modifiedAt, blob, checksum }) => ({
        PartNumber: number,
        LastModified: new Date(modifiedAt).toISOString(),
        ETag: `"${etag}"`,
        Size: blob.size,
        ...checksumElements(checksum),
      })),
    }),
  );
}

export async function listMultipartUploads({ request, store, bucket }: Call): Promise<Answer> {
  store.bucket(bucket);
  const prefix = request.query.get("prefix") ?? "";
  const uploads = store.catalog
    .uploads(bucket)
    .filter(({ key }) => key.startsWith(prefix))
    .toSorted((a, b) => compareKeys(a.key, b.key) || a.startedAt - b.startedAt);
  return xmlAnswer(
    renderXml("ListMultipartUploadsResult", {
      Bucket: bucket,
      Prefix: prefix,
      MaxUploads: uploads.length,
      IsTruncated: false,
      Upload: uploads.map(({ key, uploadId, startedAt }) => ({
        Key: key,
        UploadId: uploadId,
        Initiated: new Date(startedAt).toISOString(),
        StorageClass: "STANDARD",
      })),
    }),
  );
}

export async function completeMultipartUpload(call: Call): Promise<Answer> {
  const { request, authentication, uploads, bucket, key } = call;
  const ref = refOf(call);
  uploads.find(ref);
  const xml = await readDocument(payloadOf(request, authentication, "object"));
  const parts = parseXml(xml, "CompleteMultipartUpload").children("Part").map(listedPart);
  if (parts.length === 0) throw new S3Error("MalformedXML");
  const claims = {
    size: integerOf(
      headerOf(request, "x-amz-mp-object-size"),
      "x-amz-mp-object-size",
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    checksum: checksumAlgorithms
      .map((algorithm) => headerOf(request, checksumHeader(algorithm)))
      .find(Boolean),
  };

  const version = await uploads.complete(
    ref,
    parts,
    claims,
    placementOf(call, "ObjectCreated:CompleteMultipartUpload"),
  );

  return xmlAnswer(
    renderXml("CompleteMultipartUploadResult", {
      Location: `http://${headerOf(request, "host")}${request.path}`,
      Bucket: bucket,
      Key: key,
      ETag: `"${version.etag}"`,
      ...checksumElements(version.checksum),
      ChecksumType: version.checksum?.type,
    }),
    { ...writtenHeaders(version), ...checksumHeaders(version.checksum) },
  );
}

function listedPart(element: XmlElement): ListedPart {
  const number = integerOf(element.requiredText("PartNumber"), "PartNumber", 1, maxPartNumber);
  if (number === undefined) throw new S3Error("MalformedXML");
  return {
    number,
    etag: element.requiredText("ETag").replace(/^"(.*)"$/, "$1"),
    checksum: checksumAlgorithms.map((algorithm) => element.text(`Checksum${algorithm}`)).find(Boolean),
  };
}

export async function abortMultipartUpload(call: Call): Promise<Answer> {
  await call.uploads.abort(refOf(call));
  return noContent;
}

function refOf({ request, bucket, key }: Call): UploadRef {
  return { bucket, key, uploadId: request.query.get("uploadId") ?? "" };
}

function partNumberOf({ query }: S3Request): number {
  const number = integerOf(query.get("partNumber"), "partNumber", 1, maxPartNumber);
  if (number === undefined) throw new S3Error("InvalidRequest", "partNumber is missing");
  return number;
}
