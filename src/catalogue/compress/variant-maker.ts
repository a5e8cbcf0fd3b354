import type { CalibrationMethod } from '../../compress/calibration/calibrator.ts';
import type { Range } from '../../compress/calibration/range.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import type { CalibrationName, Recipe } from './recipe.ts';
import { floatValues } from './float-values.ts';
import { type ObservationContext, observeChannelMeans, observeExtremes, observeValues } from './observe-model.ts';

/** The share of values that the percentile calibrator keeps, in percent. */
const PERCENTILE = 99.99;
const CALIBRATION_METHODS: Readonly<Record<CalibrationName, CalibrationMethod>> = {
  minmax: { type: 'minmax' },
  percentile: { type: 'percentile', percentile: PERCENTILE },
  mse: { type: 'mse' },
  entropy: { type: 'entropy' },
};
