/**
 * Bounds on model files, so that a broken or hostile one is refused with a reason instead of taking the process down.
 * They are far above what models for small machines reach.
 */
export const MODEL_LIMITS = {
  /** Protobuf allows messages below 2 GiB. */
  fileBytes: 2 ** 31 - 1,
  /** Estimated heap that the decoded messages need; raw tensor data stays in the file's buffer and costs nothing. */
  heapBytes: 2 ** 30,
  /** Protobuf messages inside one another: a graph in a graph is three, so this is above `graphDepth`. */
  messageDepth: 256,
  /** Graphs inside one another (bodies of If, Loop and Scan), and functions that call functions. */
  graphDepth: 64,
  /** Nodes of all graphs, counted after calls to the model's own functions are replaced by their bodies. */
  nodes: 1_000_000,
  /** Elements of one input whose dimensions are all fixed, and bytes of a sparse initializer made dense. */
  denseSize: 2 ** 31,
  /** Files of external data. */
  externalFiles: 1_000,
} as const;
