import { CLEAN } from '../conditions.ts';
import { isLinearOperator, matrixProduct } from '../linear-node.ts';
import { type AccuracyLevel, BlockProducts } from '../matmul-nbits.ts';
import { type Pass, ReportBuilder } from '../pass.ts';

/** Options of `weightsInt4`. */
export interface WeightsInt4Options {
  /** Rows of a block that share a scale: 16, 32 (by default), 64, 128 or 256. */
  readonly blockSize?: number;
  /** By default `hqq`; see `BlockScaling`. */
  readonly rounding?: 'nearest' | 'hqq';
  /** By default 4. */
  readonly accuracyLevel?: AccuracyLevel;
  /** Names of nodes that stay in float. */
  readonly keep?: ReadonlySet<string>;
}

/** Stores the weights of matrix products in 4 bits, in blocks along the rows (MatMulNBits of com.microsoft). */
export function weightsInt4(options: WeightsInt4Options = {}): Pass {
  return {
    name: 'weights-int4',
    needs: CLEAN,
    changes: 'stores the weights of matrix products in 4 bits',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      const scaling = {
        bits: 4,
        blockSize: options.blockSize ?? 32,
        rounding: options.rounding ?? 'hqq',
      } as const;
      const products = new BlockProducts(graph, scaling, options.accuracyLevel ?? 4);
      for (const node of graph.sorted()) {
        const isKept = options.keep?.has(node.name) === true;
        const product = isKept ? { reason: 'it was asked to stay in float' } : matrixProduct(graph, node);
        if ('reason' in product) {
          const isOther = !isKept && (!isLinearOperator(node) || node.opType === 'Conv');
          report.skip(node, isOther ? `the runtime has no 4-bit weights for ${node.opType}` : product.reason);
          continue;
        }
        products.replace(product);
        report.handle(node);
      }
      return report.report();
    },
  };
}
