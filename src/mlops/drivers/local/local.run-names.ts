import { randomInt } from 'node:crypto';

const ADJECTIVES =
  'able amber apt bold brave bright calm candid careful clean clever crisp curious daring deep eager fair fast fine ' +
  'gentle glad grand handy honest humble keen kind lively loud lucky mellow merry mild neat nimble noble patient plain ' +
  'polite proud quick quiet rare ready rich robust sharp shiny smart smooth sober sound spry steady stout sunny sweet ' +
  'swift tidy upbeat valiant vivid warm wise witty zesty';
const ANIMALS =
  'ant badger bat bear beaver bee bird boar bug calf carp cat chimp cod colt cow crab crane crow cub deer dog dove duck ' +
  'eel elk fawn finch fish flea fly foal fowl fox frog goat goose grouse grub gull hare hawk hen hog horse kit koi lamb ' +
  'lark loon lynx mare midge mink mole moose moth mouse mule newt otter owl ox perch pig pug quail ram rat ray robin ' +
  'seal shad shark sheep shrew shrike skink skunk sloth smelt snail snake snipe sow sponge squid squirrel stag steed ' +
  'stork swan tern toad trout turtle vole wasp whale wolf worm wren yak zebra';

const adjectives = ADJECTIVES.split(' ');
const animals = ANIMALS.split(' ');

/** A random readable name for a run, such as `sober-crane-412`. */
export function randomRunName(): string {
  return `${pick(adjectives)}-${pick(animals)}-${randomInt(1_000)}`;
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? 'run';
}
