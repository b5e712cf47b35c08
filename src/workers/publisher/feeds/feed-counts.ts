import type { DropReason, OutputStatus } from '../../../shared/output-status.js';
import type { OutputRecord } from '../outputs/output.js';

/** Counts what happens to the records of an output, since the publisher started. */
export class FeedCounts {
  #acceptedRecords = 0;
  #acceptedPoints = 0;
  #deliveredRecords = 0;
  #deliveredPoints = 0;
  #spooledRecords = 0;
  #spooledPoints = 0;
  #setAsidePoints = 0;
  readonly #droppedPoints: Record<DropReason, number> = { full: 0, damaged: 0, 'no-room': 0 };

  accepted({ points }: Pick<OutputRecord, 'points'>): void {
    this.#acceptedRecords += 1;
    this.#acceptedPoints += points;
  }

  delivered({ points }: Pick<OutputRecord, 'points'>): void {
    this.#deliveredRecords += 1;
    this.#deliveredPoints += points;
  }

  spooled({ points }: Pick<OutputRecord, 'points'>): void {
    this.#spooledRecords += 1;
    this.#spooledPoints += points;
  }

  /** Where only a part was refused, the rest was delivered. */
  setAside({ points }: Pick<OutputRecord, 'points'>, refusedPoints: number): void {
    this.#setAsidePoints += refusedPoints;
    this.#deliveredPoints += points - refusedPoints;
  }

  dropped(points: number, reason: DropReason): void {
    this.#droppedPoints[reason] += points;
  }

  /** For the output's status. */
  get all(): Pick<
    OutputStatus,
    | 'acceptedRecords'
    | 'acceptedPoints'
    | 'deliveredRecords'
    | 'deliveredPoints'
    | 'spooledRecords'
    | 'spooledPoints'
    | 'setAsidePoints'
    | 'droppedPoints'
  > {
    return {
      acceptedRecords: this.#acceptedRecords,
      acceptedPoints: this.#acceptedPoints,
      deliveredRecords: this.#deliveredRecords,
      deliveredPoints: this.#deliveredPoints,
      spooledRecords: this.#spooledRecords,
      spooledPoints: this.#spooledPoints,
      setAsidePoints: this.#setAsidePoints,
      droppedPoints: { ...this.#droppedPoints },
    };
  }
}
