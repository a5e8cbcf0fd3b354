import type { Compression, Report } from './compression.ts';
import { type Recipe, standardRecipe } from './recipe.ts';
import { searchRecipes } from './search-recipes.ts';
import { glanceAtRecipe, tryRecipe } from './try-recipe.ts';

/** Part of the budget that trying recipes may take; what was found has to be judged on the test samples after it. */
const SEARCH_PART = 0.7;

/** The recipes to carry out: the standard one of each method or, with a budget, those that a search found best. */
export async function chooseRecipes(compression: Compression, report: Report): Promise<Recipe[]> {
  const { request, firstConvolution, maker } = compression;
  const { methods, budgetSeconds } = request;
  if (budgetSeconds === 0) return methods.map((method) => standardRecipe(method, firstConvolution));
  const startedMs = performance.now();
  const searchMs = budgetSeconds * 1000 * SEARCH_PART;
  const elapsedMs = (): number => performance.now() - startedMs;
  let slowestMs = 0;
  let count = 0;
  const timed = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    report(Math.min(1, elapsedMs() / searchMs), `searching: ${count} tried`);
    const begunMs = elapsedMs();
    const result = await work();
    slowestMs = Math.max(slowestMs, elapsedMs() - begunMs);
    count += 1;
    return result;
  };
  const found: Recipe[] = [];
  for (const method of methods) {
    const recipes = await searchRecipes(method, {
      firstConvolution,
      hasTime: () => elapsedMs() + slowestMs < searchMs,
      evaluate: (recipe) => timed(() => tryRecipe(compression, recipe)),
      glance: (recipe) => timed(() => glanceAtRecipe(compression, recipe)),
      layers: () => maker.layers(standardRecipe(method, undefined)),
    });
    found.push(...recipes);
  }
  return found;
}
