import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ErrorCode, SelvageError } from '../../src/lib/errors.ts';
import { MediaWorker } from '../../src/tasks/media-worker/media-worker.ts';
import type { PredictInput, Task, TaskContext } from '../../src/tasks/task.ts';
import type { ModelSignature } from '../../src/tensor/infer.ts';
import { bytesOf, expectedBytes, type Tensor } from '../../src/tensor/tensor.ts';

/** A task with what the contract needs to try it. */
export interface TaskContractCase {
  readonly signature: ModelSignature;
  readonly create: (context: TaskContext) => Promise<Task>;
  /** Inputs that the task takes; at least two different ones. */
  readonly good: () => Promise<readonly PredictInput[]>;
  /** Inputs that it refuses as MEDIA_UNREADABLE. */
  readonly bad: () => Promise<readonly PredictInput[]>;
  /** What the model may answer. */
  readonly outputs: readonly Tensor[];
  /** Classes in those outputs. */
  readonly classes: number;
}

/** What every task must do, whatever it is about; called once in the test of each task. */
export function testTaskContract(name: string, given: TaskContractCase): void {
  describe(`task contract: ${name}`, () => {
    const media = new MediaWorker({ maxPixels: 1_000_000, timeoutMs: 10_000, idleMs: 60_000 });
    const call = { signal: new AbortController().signal };
    let task: Task;
    before(async () => {
      task = await given.create({ model: 'm', media });
    });
    after(() => media.close());

    it('names media types in the form in which they are compared', () => {
      assert.ok(task.accepts.length > 0);
      for (const type of task.accepts) assert.match(type, /^[a-z]+\/[a-z0-9.+-]+$/);
    });

    it("prepares the model's inputs with a batch of 1, the same for the same input", async () => {
      const inputs = await given.good();
      const prepared = await Promise.all(inputs.map((input) => task.prepare(input, call)));
      for (const tensors of prepared) assertFits(tensors, given.signature);
      assert.notDeepEqual(prepared[0], prepared[1]);
      for (const [index, input] of inputs.entries()) {
        assert.deepEqual(await task.prepare(input, call), prepared[index]);
      }
    });

    it('refuses other media types, bad bytes and no bytes, and goes on', async () => {
      const [good] = await given.good();
      assert.ok(good);
      const odd = { ...good, mediaType: 'application/x-odd' };
      await assert.rejects(task.prepare(odd, call), withCode('MEDIA_TYPE_UNSUPPORTED'));
      const empty = { ...good, body: new Uint8Array(0) };
      for (const input of [empty, ...(await given.bad())]) {
        await assert.rejects(task.prepare(input, call), withCode('MEDIA_UNREADABLE'));
      }
      assertFits(await task.prepare(good, call), given.signature);
    });

    it('stops when its caller is gone', async () => {
      const [good] = await given.good();
      assert.ok(good);
      await assert.rejects(task.prepare(good, { signal: AbortSignal.abort() }), withCode('CANCELLED'));
      const reason = SelvageError.of('SHUTTING_DOWN', {});
      await assert.rejects(
        task.prepare(good, { signal: AbortSignal.abort(reason) }),
        withCode('SHUTTING_DOWN'),
      );
    });

    it('answers the best first, as many as asked for, with the labels it names', () => {
      for (const topK of [1, 2, given.classes, given.classes + 10]) {
        const predictions = task.interpret(given.outputs, { topK });
        assert.equal(predictions.length, Math.min(topK, given.classes));
        let last = 1;
        for (const { label, index, probability } of predictions) {
          assert.ok(probability <= last && probability >= 0, `${probability} after ${last}`);
          assert.equal(label, task.labels?.[index] ?? String(index));
          last = probability;
        }
        assert.equal(new Set(predictions.map(({ index }) => index)).size, predictions.length);
      }
      assert.ok(task.interpret(given.outputs, {}).length > 0);
    });

    it('says which output holds no answer', () => {
      const [first] = given.outputs;
      assert.ok(first);
      const nan = { ...first, datatype: 'FP32' as const };
      const values = new Float32Array(given.classes).fill(Number.NaN);
      assert.throws(
        () => task.interpret([{ ...nan, data: bytesOf(values) }], {}),
        withCode('INFERENCE_FAILED', first.name),
      );
      assert.throws(() => task.interpret([], {}), withCode('INFERENCE_FAILED', first.name));
    });
  });
}

/** A check for `assert.rejects` and `assert.throws`: a `SelvageError` with this code and, in its message, this text. */
export function withCode(code: ErrorCode, text = ''): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SelvageError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), `'${error.message}' does not name '${text}'`);
    return true;
  };
}

function assertFits(tensors: readonly Tensor[], signature: ModelSignature): void {
  assert.deepEqual(
    tensors.map(({ name, datatype }) => ({ name, datatype })),
    signature.inputs.map(({ name, datatype }) => ({ name, datatype })),
  );
  for (const [index, tensor] of tensors.entries()) {
    const shape = signature.inputs[index]?.shape ?? [];
    assert.equal(tensor.shape.length, shape.length);
    assert.equal(tensor.shape[0], 1);
    for (const [axis, size] of shape.entries()) {
      if (size >= 0) assert.equal(tensor.shape[axis], size);
    }
    assert.equal(tensor.data.byteLength, expectedBytes(tensor.datatype, tensor.shape));
  }
}
