import { errnoOf, reasonOf } from './errors.ts';

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'in use by something else',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'something of that name is in the way',
  EFBIG: 'larger than the file system allows',
  EIO: 'the disk reported an input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files in this process',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'too many open files on this machine',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on the disk',
  ENOTDIR: 'a part of the path is not a directory',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
};

/** A system error in words with its errno, such as `no space left on the disk (ENOSPC)`; else its message. */
export function errnoInWords(thrown: unknown): string {
  const errno = errnoOf(thrown);
  const words = errno === undefined ? undefined : WORDS[errno];
  return words === undefined ? reasonOf(thrown) : `${words} (${errno})`;
}
