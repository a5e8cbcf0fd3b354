/**
 * A copy of a protobuf message whose fields can be set without changing the original; lists and messages inside it
 * are shared. Unknown fields come along, and what is not set stays unset (defaults lie in the prototype).
 */
export function copyMessage<T extends object>(message: T): T {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message);
}
