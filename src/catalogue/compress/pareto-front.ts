/** A recipe that was tried on the validation samples. */
export interface Trial<Subject> {
  readonly subject: Subject;
  /** How near it is to the float model: agreement where there is one, 0..1. */
  readonly agreement: number | undefined;
  readonly snrDb: number;
  /** Times as fast as the float model. */
  readonly speed: number;
  readonly sizeBytes: number;
}

/** Speeds nearer than this to each other are not told apart. */
const SPEED_TOLERANCE = 0.03;
/** Ratios of signal to noise nearer than this are not told apart, in dB. */
const SNR_TOLERANCE_DB = 0.3;

/** The trials that no other one beats in one respect (nearness to float, speed) and equals in the other, best first. */
export function paretoFront<Subject>(trials: readonly Trial<Subject>[]): Trial<Subject>[] {
  const sorted = [...trials].sort((a, b) => compareNearness(b, a) || b.speed - a.speed);
  const front: Trial<Subject>[] = [];
  for (const trial of sorted) {
    const isFaster = front.every(({ speed }) => trial.speed > speed * (1 + SPEED_TOLERANCE));
    if (isFaster) front.push(trial);
  }
  return front;
}

/** Above 0 where `a` is nearer to the float model than `b`: by agreement, and where that is equal by noise. */
export function compareNearness<Subject>(a: Trial<Subject>, b: Trial<Subject>): number {
  const byAgreement = (a.agreement ?? 0) - (b.agreement ?? 0);
  if (byAgreement !== 0) return byAgreement;
  const bySnr = a.snrDb - b.snrDb;
  return Math.abs(bySnr) < SNR_TOLERANCE_DB ? 0 : bySnr;
}
